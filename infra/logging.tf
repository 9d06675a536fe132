# The service's logs and the Data Access audit logs stay in the region. Two kinds of line could name a person and are
# never stored: Cloud Run's own request log of the API (its URL holds ?search=…), and object names below incoming/ (the
# website puts surnames there).
#
# One bucket cannot be moved in a project that exists: `_Required`, which keeps Admin Activity, System Event and Access
# Transparency logs for 400 days in the location "global". They say who changed which resource or permission; an entry
# names administrators and accounts, and no patient. An organisation can choose its location before a project is made
# (`gcloud logging settings update --organization=ID --storage-location=europe-west3`).
locals {
  exclude_request_log = "log_id(\"run.googleapis.com/requests\") AND resource.labels.service_name=\"patients-api\""
  audit_trail         = "(log_id(\"run.googleapis.com/stdout\") OR log_id(\"run.googleapis.com/stderr\")) AND jsonPayload.message=\"audit\""
  exclude_incoming    = "protoPayload.serviceName=\"storage.googleapis.com\" AND protoPayload.resourceName:\"/objects/incoming/\""
}

resource "google_logging_project_bucket_config" "service" {
  project        = var.project_id
  location       = var.region
  bucket_id      = "patient-service"
  retention_days = var.log_retention_days

  dynamic "cmek_settings" {
    for_each = local.kms_keys

    content {
      kms_key_name = cmek_settings.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

resource "google_logging_project_bucket_config" "data_access" {
  project        = var.project_id
  location       = var.region
  bucket_id      = "data-access"
  retention_days = var.audit_retention_days

  dynamic "cmek_settings" {
    for_each = local.kms_keys

    content {
      kms_key_name = cmek_settings.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

# The audit trail: who read which patient, who changed what, who was refused. Only the data protection officers read it.
# Not locked: a locked bucket can never be deleted, and its retention can never be shortened.
resource "google_logging_project_bucket_config" "audit_trail" {
  project        = var.project_id
  location       = var.region
  bucket_id      = "audit-trail"
  retention_days = var.audit_trail_retention_days

  dynamic "cmek_settings" {
    for_each = local.kms_keys

    content {
      kms_key_name = cmek_settings.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

resource "google_logging_project_sink" "audit_trail" {
  name                   = "audit-trail"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.audit_trail.id}"
  filter                 = local.audit_trail
  unique_writer_identity = true
}

resource "google_logging_log_view_iam_member" "data_protection_reads_audit_trail" {
  for_each = toset(var.data_protection_officers)

  parent   = "projects/${var.project_id}"
  location = var.region
  bucket   = google_logging_project_bucket_config.audit_trail.bucket_id
  name     = "_AllLogs"
  role     = "roles/logging.viewAccessor"
  member   = each.value
}

# Takes over the project's own sink, which would store everything in the location "global".
resource "google_logging_project_sink" "default" {
  name                   = "_Default"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.service.id}"
  filter                 = "NOT log_id(\"cloudaudit.googleapis.com/activity\") AND NOT log_id(\"cloudaudit.googleapis.com/system_event\") AND NOT log_id(\"cloudaudit.googleapis.com/data_access\")"
  unique_writer_identity = true

  exclusions {
    name   = "search-terms"
    filter = local.exclude_request_log
  }

  exclusions {
    name   = "audit-trail"
    filter = local.audit_trail
  }
}

resource "google_logging_project_sink" "data_access" {
  name                   = "data-access"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.data_access.id}"
  filter                 = "log_id(\"cloudaudit.googleapis.com/data_access\")"
  unique_writer_identity = true

  exclusions {
    name   = "website-file-names"
    filter = local.exclude_incoming
  }
}

resource "google_project_iam_audit_config" "data_access" {
  for_each = toset(["datastore.googleapis.com", "storage.googleapis.com", "secretmanager.googleapis.com"])

  project = var.project_id
  service = each.value

  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]

    content {
      log_type = audit_log_config.value
    }
  }
}
