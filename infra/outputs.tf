output "trigger_subscription" {
  description = "Name of the subscription that Eventarc created; the value for the variable trigger_subscription."
  value       = basename(google_eventarc_trigger.registration.transport[0].pubsub[0].subscription)
}

output "import_bucket" {
  description = "Bucket in which the website puts registration files, below incoming/."
  value       = google_storage_bucket.import.name
}

output "api_url" {
  description = "Address of the API, for callers with roles/run.invoker."
  value       = google_cloud_run_v2_service.function["patients-api"].uri
}

output "health_url" {
  description = "Address of check-health."
  value       = google_cloud_run_v2_service.function["check-health"].uri
}

output "ops_read_url" {
  description = "Address of the operators' read-only commands."
  value       = google_cloud_run_v2_service.ops["ops-read"].uri
}

output "image_repository" {
  description = "Repository to which Cloud Build pushes the images."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "build_service_account" {
  description = "Service account for submitting builds."
  value       = google_service_account.caller["deployment-build"].id
}

output "kafka_bootstrap_servers" {
  description = "Brokers that the worker connects to."
  value       = local.kafka_bootstrap
}

output "build_region" {
  description = "Region for submitting builds: gcloud builds submit --region=…"
  value       = var.build_region
}

output "build_source_bucket" {
  description = "Bucket to which `gcloud builds submit --gcs-source-staging-dir=gs://…/source` uploads the source."
  value       = google_storage_bucket.build_source.name
}

output "secrets" {
  description = "Secrets that need a first version before the services are created."
  value       = keys(local.secrets)
}
