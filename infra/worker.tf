resource "google_cloud_run_v2_worker_pool" "kafka_worker" {
  name                = "kafka-worker"
  location            = var.region
  launch_stage        = "BETA"
  deletion_protection = true

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.worker_instances
  }

  template {
    service_account = google_service_account.workload["kafka-worker"].email

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = google_compute_network.private.id
        subnetwork = google_compute_subnetwork.private.id
      }
    }

    containers {
      image = var.images["kafka-worker"]

      resources {
        limits = { cpu = "1", memory = "1Gi" }
      }

      dynamic "env" {
        for_each = local.environment["kafka-worker"]

        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].containers[0].image, template[0].revision, instance_splits]
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}

# The operators' command runs where Kafka can be reached, from the worker's image:
# gcloud run jobs execute ops --args=dlq,list --wait
resource "google_cloud_run_v2_job" "ops" {
  name                = "ops"
  location            = var.region
  deletion_protection = false

  template {
    template {
      service_account = google_service_account.workload["ops-command"].email
      max_retries     = 0
      timeout         = "3600s"

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = google_compute_network.private.id
          subnetwork = google_compute_subnetwork.private.id
        }
      }

      containers {
        image   = var.images["kafka-worker"]
        command = ["/nodejs/bin/node", "ops.js"]
        args    = ["--help"]

        resources {
          limits = { cpu = "1", memory = "1Gi" }
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
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].template[0].containers[0].image]
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
