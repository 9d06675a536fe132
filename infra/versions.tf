terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }

  # The bucket of the state is named at `terraform init -backend-config=bucket=…`, one for each project.
  backend "gcs" {
    prefix = "patient-service"
  }
}

provider "google" {
  project = var.project_id
  region  = var.region

  default_labels = {
    service     = "patient-service"
    environment = var.environment
  }
}

# The budget API requires a project that pays for the call.
provider "google" {
  alias                 = "billing"
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

data "google_project" "this" {
  project_id = var.project_id

  depends_on = [google_project_service.api]
}
