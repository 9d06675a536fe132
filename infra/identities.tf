# One service account for each workload, with its permissions. The table of docs/deployment.md explains them.
resource "google_service_account" "workload" {
  for_each = {
    import-registration = "Imports registration files"
    patients-api        = "Answers the HTTP API"
    check-health        = "Judges health, sweeps missed files, cleans up"
    kafka-worker        = "Relays the outbox, consumes events"
    ops-read            = "Runs the operators' commands that only look"
    ops-write           = "Runs the operators' commands that change something"
  }

  account_id   = each.key
  display_name = each.value

  depends_on = [google_project_service.api]
}

resource "google_service_account" "caller" {
  for_each = {
    registration-trigger = "Eventarc: delivers new files to import-registration"
    health-scheduler     = "Cloud Scheduler: runs check-health"
    deployment-build     = "Cloud Build: tests, builds and deploys"
  }

  account_id   = each.key
  display_name = each.value

  depends_on = [google_project_service.api]
}

locals {
  firestore_roles = {
    import-registration = "roles/datastore.user"
    patients-api        = "roles/datastore.user"
    check-health        = "roles/datastore.user"
    kafka-worker        = "roles/datastore.user"
    ops-read            = "roles/datastore.viewer"
    ops-write           = "roles/datastore.user"
  }
}

resource "google_project_iam_member" "firestore" {
  for_each = local.firestore_roles

  project = var.project_id
  role    = each.value
  member  = google_service_account.workload[each.key].member
}

resource "google_project_iam_member" "kafka" {
  for_each = toset(local.kafka_is_managed ? ["kafka-worker", "ops-read", "ops-write"] : [])

  project = var.project_id
  role    = "roles/managedkafka.client"
  member  = google_service_account.workload[each.value].member
}

resource "google_storage_bucket_iam_member" "mover" {
  for_each = toset(["import-registration", "check-health"])

  bucket = google_storage_bucket.import.name
  role   = "roles/storage.objectUser"
  member = google_service_account.workload[each.value].member
}

# Erasure deletes a patient's archived files and enters the ledger; the API reads and writes no registration.
resource "google_project_iam_custom_role" "file_eraser" {
  role_id     = "registrationFileEraser"
  title       = "Find and delete registration files, enter erasures"
  permissions = ["storage.objects.list", "storage.objects.get", "storage.objects.delete", "storage.objects.create"]
}

# The worker raises the mark of the restore fence and reads no other object. Without the right to list, a missing
# object would be forbidden instead of missing.
resource "google_storage_bucket_iam_member" "fence" {
  bucket = google_storage_bucket.import.name
  role   = "roles/storage.objectUser"
  member = google_service_account.workload["kafka-worker"].member

  condition {
    title      = "below fence"
    expression = "resource.type == \"storage.googleapis.com/Bucket\" || resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.import.name}/objects/fence/\")"
  }
}

resource "google_storage_bucket_iam_member" "eraser" {
  bucket = google_storage_bucket.import.name
  role   = google_project_iam_custom_role.file_eraser.id
  member = google_service_account.workload["patients-api"].member
}

resource "google_storage_bucket_iam_member" "uploader" {
  for_each = toset(var.uploaders)

  bucket = google_storage_bucket.import.name
  role   = "roles/storage.objectCreator"
  member = each.value

  condition {
    title      = "below incoming"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.import.name}/objects/incoming/\")"
  }
}

resource "google_cloud_run_v2_service_iam_member" "api_invoker" {
  for_each = toset(var.api_invokers)

  name     = google_cloud_run_v2_service.function["patients-api"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_cloud_run_v2_service_iam_member" "health_viewer" {
  for_each = toset(var.health_viewers)

  name     = google_cloud_run_v2_service.function["check-health"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_cloud_run_v2_service_iam_member" "health_scheduler" {
  name     = google_cloud_run_v2_service.function["check-health"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.caller["health-scheduler"].member
}

resource "google_cloud_run_v2_service_iam_member" "registration_trigger" {
  name     = google_cloud_run_v2_service.function["import-registration"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.caller["registration-trigger"].member
}

# Operators look up the addresses of ops-read, ops-write and check-health by `gcloud run services describe`.
resource "google_project_iam_member" "operator_reads_runs" {
  for_each = toset(var.operators)

  project = var.project_id
  role    = "roles/run.viewer"
  member  = each.value
}

resource "google_project_iam_member" "operator_runs_health" {
  for_each = {
    for pair in setproduct(var.operators, ["roles/cloudscheduler.viewer", "roles/cloudscheduler.jobRunner"]) :
    join(" ", pair) => { member = pair[0], role = pair[1] }
  }

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

resource "google_pubsub_subscription_iam_member" "operator_reads_dead_letters" {
  for_each = toset(var.operators)

  subscription = google_pubsub_subscription.registration_dead_letters.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_logging_log_view_iam_member" "operator_reads_log" {
  for_each = toset(var.operators)

  parent   = "projects/${var.project_id}"
  location = var.region
  bucket   = google_logging_project_bucket_config.service.bucket_id
  name     = "_AllLogs"
  role     = "roles/logging.viewAccessor"
  member   = each.value
}
