# The releases deployed here, the lock that serialises deployments, and the SBOM of each image (infra/deploy/release.sh).
resource "google_storage_bucket" "releases" {
  name     = "${var.project_id}-releases"
  location = upper(var.region)

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_iam_member" "build_releases" {
  bucket = google_storage_bucket.releases.name
  role   = "roles/storage.objectUser"
  member = google_service_account.caller["deployment-build"].member
}

# Production's build reads the release tested here, with its images and their provenance.
locals {
  promotion_builds = var.promotes_to == null ? {} : {
    build = "serviceAccount:deployment-build@${var.promotes_to}.iam.gserviceaccount.com"
  }
}

resource "google_storage_bucket_iam_member" "promotion_reads_releases" {
  for_each = local.promotion_builds

  bucket = google_storage_bucket.releases.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_artifact_registry_repository_iam_member" "promotion_reads_images" {
  for_each = local.promotion_builds

  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = each.value
}

resource "google_project_iam_member" "promotion_reads_provenance" {
  for_each = local.promotion_builds

  project = var.project_id
  role    = "roles/containeranalysis.occurrences.viewer"
  member  = each.value
}

# deploy.sh asks Cloud Build who approved its build, and which build holds the lock.
resource "google_project_iam_member" "build_reads_builds" {
  project = var.project_id
  role    = "roles/cloudbuild.builds.viewer"
  member  = google_service_account.caller["deployment-build"].member
}

# Production builds nothing. This trigger is run by hand, and its builds wait for the approval of one of the approvers.
resource "google_cloudbuild_trigger" "promote" {
  count = var.repository == null || var.promotes_from == null ? 0 : 1

  name            = "promote"
  location        = var.build_region
  service_account = google_service_account.caller["deployment-build"].id
  substitutions   = { _FROM = var.promotes_from }

  source_to_build {
    uri       = "https://github.com/${var.repository.owner}/${var.repository.name}"
    ref       = "refs/heads/main"
    repo_type = "GITHUB"
  }

  git_file_source {
    path      = "infra/deploy/promote.yaml"
    uri       = "https://github.com/${var.repository.owner}/${var.repository.name}"
    revision  = "refs/heads/main"
    repo_type = "GITHUB"
  }

  approval_config {
    approval_required = true
  }
}

resource "google_project_iam_member" "approver" {
  for_each = toset(var.approvers)

  project = var.project_id
  role    = "roles/cloudbuild.builds.approver"
  member  = each.value
}
