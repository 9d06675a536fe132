# Cloud Run's second generation gives an instance at least 512 MiB. `npm run bench -- memory` measures what the functions take of
# it (docs/benchmarks.md).
locals {
  functions = {
    import-registration = { ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY", concurrency = 16, max_instances = 10, timeout = "60s", probe = null }
    patients-api        = { ingress = "INGRESS_TRAFFIC_ALL", concurrency = 80, max_instances = 10, timeout = "300s", probe = "/livez" }
    check-health        = { ingress = "INGRESS_TRAFFIC_ALL", concurrency = 16, max_instances = 2, timeout = "300s", probe = null }
  }
}

resource "google_cloud_run_v2_service" "function" {
  for_each = local.functions

  name                = each.key
  location            = var.region
  ingress             = each.value.ingress
  deletion_protection = var.deletion_protection

  template {
    service_account                  = google_service_account.workload[each.key].email
    max_instance_request_concurrency = each.value.concurrency
    timeout                          = each.value.timeout
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      min_instance_count = var.min_instances[each.key]
      max_instance_count = each.value.max_instances
    }

    containers {
      image = var.images[each.key]

      resources {
        limits            = { cpu = "1", memory = "512Mi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.environment[each.key]

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "liveness_probe" {
        for_each = each.value.probe == null ? [] : [each.value.probe]

        content {
          period_seconds    = 30
          timeout_seconds   = 5
          failure_threshold = 3

          http_get {
            path = liveness_probe.value
          }
        }
      }
    }
  }

  # Cloud Build brings new images and moves the traffic to them after the smoke test (cloudbuild.yaml); gcloud
  # leaves a nonce in the template's labels. The revision's name is not ignored: an ignored name would be sent again
  # with the next template, and Cloud Run refuses the same name for two templates with 409.
  lifecycle {
    ignore_changes = [client, client_version, template[0].containers[0].image, template[0].labels, traffic]
  }

  # A service that does not become ready is tainted, so everything that it needs to start is created first.
  depends_on = [
    terraform_data.foundation,
    data.google_secret_manager_secret_version.first,
    google_firestore_database.patients,
    google_project_iam_member.firestore,
    google_storage_bucket_iam_member.eraser,
    google_storage_bucket_iam_member.mover,
  ]
}
