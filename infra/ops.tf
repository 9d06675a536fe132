# The operators' command as two services with one image: one account that can only read, one that can also
# write. `operators` may call them and nothing else. A Cloud Run job would take the command line as an override, and
# who may override arguments may override the environment too: NODE_OPTIONS would run code as the job's account.
locals {
  ops = {
    ops-read  = { args = ["--read-only"], description = "The operators' command, read-only" }
    ops-write = { args = [], description = "The operators' command, reading and writing" }
  }
}

resource "google_cloud_run_v2_service" "ops" {
  for_each = local.ops

  name                = each.key
  description         = each.value.description
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.workload[each.key].email
    # A command may need much memory, and `republish --all` takes long.
    max_instance_request_concurrency = 1
    timeout                          = "3600s"
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      min_instance_count = 0
      max_instance_count = 3
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = google_compute_network.private.id
        subnetwork = google_compute_subnetwork.private.id
      }
    }

    containers {
      image   = var.images["ops"]
      command = ["/nodejs/bin/node", "serve.js"]
      args    = each.value.args

      resources {
        limits            = { cpu = "1", memory = "1Gi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.environment["ops"]

        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  # As with the functions (functions.tf).
  lifecycle {
    ignore_changes = [client, client_version, template[0].containers[0].image, template[0].labels, traffic]
  }

  depends_on = [
    terraform_data.foundation,
    data.google_secret_manager_secret_version.first,
    google_firestore_database.patients,
    google_managed_kafka_topic.events,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "operator" {
  for_each = {
    for pair in setproduct(keys(local.ops), var.operators) : join(" ", pair) => { service = pair[0], member = pair[1] }
  }

  name     = google_cloud_run_v2_service.ops[each.value.service].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value.member
}

# `ops import waiting` counts the files in incoming/: their names and sizes, never their content.
resource "google_project_iam_custom_role" "file_lister" {
  role_id     = "registrationFileLister"
  title       = "List registration files"
  permissions = ["storage.objects.list"]
}

resource "google_storage_bucket_iam_member" "ops_lists" {
  bucket = google_storage_bucket.import.name
  role   = google_project_iam_custom_role.file_lister.id
  member = google_service_account.workload["ops-read"].member
}

# `ops import retry` copies a failed file back to incoming/, `ops import delete` removes one, and `ops restore fence`
# erases again the patients whom a backup brought back, and replaces the mark in the bucket.
resource "google_project_iam_custom_role" "file_retrier" {
  role_id     = "registrationFileRetrier"
  title       = "Copy and remove registration files"
  permissions = ["storage.objects.list", "storage.objects.get", "storage.objects.create", "storage.objects.delete"]
}

resource "google_storage_bucket_iam_member" "ops_retries" {
  bucket = google_storage_bucket.import.name
  role   = google_project_iam_custom_role.file_retrier.id
  member = google_service_account.workload["ops-write"].member
}
