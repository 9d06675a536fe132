# Longer than 250 lines: one block for each variable, and splitting it would not make it easier to read.

variable "project_id" {
  description = "Google Cloud project that this environment lives in; one project for each environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "environment" {
  description = "Name of the environment. A signed registration file must name it."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "The environment is dev, staging or prod."
  }
}

variable "region" {
  description = "Region of everything that holds or moves patient data."
  type        = string
  default     = "europe-west3"

  validation {
    condition     = var.region == "europe-west3"
    error_message = "Patient data stays in Frankfurt: europe-west3."
  }
}

variable "build_region" {
  description = "Region in which Cloud Build builds. Some projects may build in a few regions only, not in europe-west3. A build sees the code and no patient data."
  type        = string
  default     = "europe-west1"

  validation {
    condition     = can(regex("^europe-[a-z]+[0-9]+$", var.build_region))
    error_message = "Builds run in a region of Europe, such as europe-west1."
  }
}

variable "kms_key" {
  description = "Customer-managed key in Cloud KMS for Firestore, the import bucket, Kafka, images, logs, secrets and dead letters: projects/…/locations/europe-west3/keyRings/…/cryptoKeys/…. Null: Google's keys. Decide before the first apply: it cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/[^/]+/locations/europe-west3/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "The key lies in the data's region: projects/…/locations/europe-west3/keyRings/…/cryptoKeys/…"
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the services and the worker. False in the first apply (bootstrap.sh): a service that does not become ready is tainted, and only an unprotected one can be recreated."
  type        = bool
  default     = true
}

variable "images" {
  description = "Container image of each deployable, by digest. Used when a service is first created; afterwards Cloud Build deploys."
  type = object({
    import-registration = string
    patients-api        = string
    check-health        = string
    kafka-worker        = string
    ops                 = string
  })

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Each image is named by its digest: HOST/PROJECT/REPOSITORY/NAME@sha256:…"
  }
}

variable "log_level" {
  description = "Lowest severity that the service logs."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "The log level is debug, info, warn or error."
  }
}

# Import

variable "uploaders" {
  description = "IAM members (the website's service account) that may drop files into incoming/. They can neither read nor list nor overwrite."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.uploaders : !contains(["allUsers", "allAuthenticatedUsers"], member)])
    error_message = "Name each uploader: allUsers and allAuthenticatedUsers are refused."
  }
}

variable "registrations_are_signed" {
  description = "Whether registration files carry an HMAC signature. If so, the secret registration-hmac-key must have a version before the services are made."
  type        = bool
  default     = true
}

variable "trigger_subscription" {
  description = "Name of the Pub/Sub subscription that Eventarc created for its trigger (output trigger_subscription of the first apply). Until it is set, the subscription has Eventarc's defaults and no dead-letter topic."
  type        = string
  default     = null
}

variable "import_check_interval_seconds" {
  description = "How often check-health sweeps incoming/ for files whose event was lost. At most every minute, the interval of Cloud Scheduler."
  type        = number
  default     = 60

  validation {
    condition     = var.import_check_interval_seconds >= 60 && var.import_check_interval_seconds <= 900
    error_message = "The interval lies between 60 and 900 seconds."
  }
}

variable "import_stuck_after_seconds" {
  description = "Age of a file in incoming/ at which the import is unhealthy and the alert fires."
  type        = number
  default     = 900

  validation {
    condition     = var.import_stuck_after_seconds >= 120
    error_message = "Below two minutes the sweep itself would raise the alert."
  }
}

variable "retention_unpaid_days" {
  description = "Days without contact after which a patient who never paid is erased; null: never."
  type        = number
  default     = null

  validation {
    condition     = var.retention_unpaid_days == null ? true : var.retention_unpaid_days >= 30 && floor(var.retention_unpaid_days) == var.retention_unpaid_days
    error_message = "At least 30 whole days."
  }
}

variable "retention_closed_days" {
  description = "Days after which a patient whose case is closed is erased; null: never."
  type        = number
  default     = null

  validation {
    condition     = var.retention_closed_days == null ? true : var.retention_closed_days >= 30 && floor(var.retention_closed_days) == var.retention_closed_days
    error_message = "At least 30 whole days."
  }
}

variable "import_storage_quota_bytes" {
  description = "Size of the bucket that counts as full."
  type        = number
  default     = 10737418240
}

# Mails

variable "payment" {
  description = "Account and prices in the confirmation mail; amounts like 95.00."
  type = object({
    account_holder       = string
    iban                 = string
    bic                  = string
    price_individual_eur = optional(string, "95.00")
    price_group_eur      = optional(string, "45.00")
  })
}

variable "mail" {
  description = "Sender, contract link and contact address of the mails, and the URL of the communication service."
  type = object({
    sender_address            = string
    sender_name               = string
    contract_url              = string
    contact_address           = string
    communication_service_url = string
  })

  validation {
    condition     = startswith(var.mail.communication_service_url, "https://")
    error_message = "Mails hold personal data: the communication service is called by https."
  }
}

# API

variable "api_invokers" {
  description = "IAM members that may reach the API at all (Cloud Run's IAM); the bearer token's role decides what they may do there."
  type        = list(string)

  validation {
    condition     = alltrue([for member in var.api_invokers : !contains(["allUsers", "allAuthenticatedUsers"], member)])
    error_message = "The API has no public access."
  }
  validation {
    condition = alltrue([
      for address in concat(var.auth.readers, var.auth.staff, var.auth.admins) :
      anytrue([for member in var.api_invokers : startswith(member, "group:") || endswith(member, ":${address}")])
    ])
    error_message = "Who has a role (auth) must be able to reach the API: name each address here, or a group."
  }
}

variable "health_viewers" {
  description = "IAM members, besides Cloud Scheduler, that may read /health."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.health_viewers : !contains(["allUsers", "allAuthenticatedUsers"], member)])
    error_message = "Health has no public access."
  }
}

variable "auth" {
  description = "The issuer whose bearer tokens the API trusts, and the role of each caller: by a claim of the token or by mail address."
  type = object({
    issuer     = string
    audience   = string
    jwks_url   = optional(string, "https://www.googleapis.com/oauth2/v3/certs")
    role_claim = optional(string)
    readers    = optional(list(string), [])
    staff      = optional(list(string), [])
    admins     = optional(list(string), [])

    # Backends (token subjects or mail addresses) that may name the person they act for in X-Actor, and whether they must.
    trusted_backends = optional(list(string), [])
    require_actor    = optional(bool, false)
  })

  validation {
    condition     = length(var.auth.trusted_backends) > 0 || !var.auth.require_actor
    error_message = "require_actor needs trusted_backends: nobody else may name an actor."
  }

  validation {
    condition = anytrue([
      var.auth.issuer != "https://accounts.google.com",
      endswith(var.auth.audience, ".apps.googleusercontent.com"),
      alltrue([for address in concat(var.auth.readers, var.auth.staff, var.auth.admins) : endswith(address, ".gserviceaccount.com")]),
    ])
    error_message = "Google gives a token with an audience of your choice to service accounts only: name those, which people may impersonate."
  }
}

# Kafka

variable "kafka_brokers" {
  description = "Brokers of an existing Kafka, with its SASL login. Null: Terraform creates a Managed Service for Apache Kafka cluster, to which the worker logs in with its service account."
  type = object({
    bootstrap_servers = list(string)
    sasl_mechanism    = string
    sasl_username     = optional(string)
    ca_pem            = optional(string)
  })
  default = null

  validation {
    condition     = var.kafka_brokers == null ? true : contains(["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"], var.kafka_brokers.sasl_mechanism)
    error_message = "The mechanism is PLAIN, SCRAM-SHA-512 or OAUTHBEARER."
  }
}

variable "kafka_topic_prefix" {
  description = "Prefix of each topic name, so that environments can share a cluster."
  type        = string
  default     = ""
}

variable "kafka_retention_days" {
  description = "How long a topic keeps an event, dead letters included. An erased patient's events age out after this time. With existing brokers (kafka_brokers): the retention that their operators have set."
  type        = number
  default     = 7

  validation {
    condition     = var.kafka_retention_days >= 1 && var.kafka_retention_days <= 30
    error_message = "Between 1 and 30 days: longer would keep erased patients longer than the privacy notice says."
  }
}

variable "kafka_vcpus" {
  description = "vCPUs of the Managed Kafka cluster (at least 3); each has 4 GiB of memory."
  type        = number
  default     = 3

  validation {
    condition     = var.kafka_vcpus >= 3
    error_message = "A cluster has at least 3 vCPUs."
  }
}

# Scale

variable "min_instances" {
  description = "Warm instances of each function; 0 costs nothing at rest and a cold start of about 0.4 s."
  type        = object({ import-registration = number, patients-api = number, check-health = number })
  default     = { import-registration = 0, patients-api = 1, check-health = 0 }
}

variable "worker_instances" {
  description = "Instances of the worker: one relays and both consume; the second takes over within 15 s."
  type        = number
  default     = 2

  validation {
    condition     = var.worker_instances >= 1 && var.worker_instances <= 6
    error_message = "Between 1 and 6: there are 6 partitions."
  }
}

# Operation

variable "alert_mail_addresses" {
  description = "Recipients of alerts."
  type        = list(string)

  validation {
    condition     = length(var.alert_mail_addresses) > 0
    error_message = "Name at least one recipient of alerts."
  }
}

variable "alert_channels" {
  description = "Further notification channels, created by hand so that their keys never pass through Terraform (Slack, PagerDuty, a webhook, the mobile app): projects/…/notificationChannels/…, as `gcloud beta monitoring channels list` shows them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for channel in var.alert_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "A channel is named projects/…/notificationChannels/…"
  }
}

variable "budget" {
  description = "Monthly budget of the project and the billing account that it is set on. Mails go out at 50 %, 90 % and 100 %, and when the month is expected to end above it. Null: no budget."
  type        = object({ billing_account = string, amount = number, currency = optional(string, "EUR") })
  default     = null

  validation {
    condition     = var.budget == null ? true : var.budget.amount > 0
    error_message = "The budget is an amount above 0."
  }
}

variable "objective_alerts" {
  description = "Whether an alert fires when a promise's error budget burns too fast (slo.tf). Six conditions; Monitoring charges for each. The objectives themselves are always shown."
  type        = bool
  default     = true
}

variable "operators" {
  description = "IAM members that may call the operators' command (the services ops-read and ops-write)."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long the service's logs are kept."
  type        = number
  default     = 30
}

variable "audit_retention_days" {
  description = "How long the Data Access audit logs are kept."
  type        = number
  default     = 365
}

variable "image_scanning" {
  description = "Whether Artifact Registry scans each pushed image for known vulnerabilities; it charges for each image."
  type        = bool
  default     = true
}

variable "repository" {
  description = "GitHub repository, connected to Cloud Build. A push to its branch main deploys, unless promotes_from is set. Null: builds are submitted by hand."
  type        = object({ owner = string, name = string })
  default     = null
}

variable "promotes_from" {
  description = "Project that builds and tests the releases that this environment takes. Production needs it, and builds nothing itself."
  type        = string
  default     = null

  validation {
    condition     = var.environment != "prod" || var.promotes_from != null
    error_message = "Production takes what another environment has tested: name its project in promotes_from."
  }
}

variable "promotes_to" {
  description = "Project that takes this environment's releases: its build account may read them. Set it after that account exists."
  type        = string
  default     = null
}

variable "approvers" {
  description = "IAM members that approve a promotion."
  type        = list(string)
  default     = []
}

variable "audit_trail_retention_days" {
  description = "How long the audit trail is kept: who read which patient, who changed what, who was refused."
  type        = number
  default     = 1095

  validation {
    condition     = var.audit_trail_retention_days >= 1 && var.audit_trail_retention_days <= 3650
    error_message = "Cloud Logging keeps logs for 1 to 3650 days."
  }
}

variable "data_protection_officers" {
  description = "IAM members that may read the audit trail; nobody else gets access."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.data_protection_officers : !contains(var.operators, member)])
    error_message = "Operators must not read the audit trail: name others."
  }
}
