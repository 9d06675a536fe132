resource "google_artifact_registry_repository" "images" {
  repository_id = "patient-service"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the deployables"
  kms_key_name  = var.kms_key

  # Tags are not immutable: such a repository refuses to delete a tagged image, so the clean-up below would delete
  # none. Nothing is deployed by tag, and a digest cannot be moved.

  vulnerability_scanning_config {
    enablement_config = var.image_scanning ? "INHERITED" : "DISABLED"
  }

  cleanup_policies {
    id     = "keep-for-roll-back"
    action = "KEEP"

    most_recent_versions {
      keep_count = 40
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

resource "google_artifact_registry_repository_iam_member" "build" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.caller["deployment-build"].member
}

# Where `gcloud builds submit` stages its source; the default bucket would lie in the USA.
resource "google_storage_bucket" "build_source" {
  name     = "${var.project_id}-build-source"
  location = upper(var.region)

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_iam_member" "build_reads_source" {
  bucket = google_storage_bucket.build_source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.caller["deployment-build"].member
}

resource "google_project_iam_member" "build_log" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.caller["deployment-build"].member
}

resource "google_project_iam_member" "build_run_viewer" {
  project = var.project_id
  role    = "roles/run.viewer"
  member  = google_service_account.caller["deployment-build"].member
}

resource "google_cloud_run_v2_service_iam_member" "build_deploys" {
  for_each = merge(google_cloud_run_v2_service.function, google_cloud_run_v2_service.ops)

  name     = each.value.name
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.caller["deployment-build"].member
}

# The smoke test calls new revisions of the HTTP services; the import is not called, because it would need a file.
resource "google_cloud_run_v2_service_iam_member" "build_smokes" {
  for_each = toset(["patients-api", "check-health"])

  name     = google_cloud_run_v2_service.function[each.value].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.caller["deployment-build"].member
}

resource "google_cloud_run_v2_worker_pool_iam_member" "build_deploys" {
  name     = google_cloud_run_v2_worker_pool.kafka_worker.name
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.caller["deployment-build"].member
}

# A revision runs as its workload's account, and the account that deploys it needs permission to act as that account.
resource "google_service_account_iam_member" "build_acts_as" {
  for_each = google_service_account.workload

  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.caller["deployment-build"].member
}

# The identity token of the smoke test is signed for the build's own account.
resource "google_service_account_iam_member" "build_signs_for_itself" {
  service_account_id = google_service_account.caller["deployment-build"].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.caller["deployment-build"].member
}

resource "google_cloudbuild_trigger" "main" {
  count = var.repository == null || var.promotes_from != null ? 0 : 1

  name            = "deploy-main"
  location        = var.build_region
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.caller["deployment-build"].id

  github {
    owner = var.repository.owner
    name  = var.repository.name

    push {
      branch = "^main$"
    }
  }
}
