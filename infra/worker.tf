resource "google_cloud_run_v2_worker_pool" "kafka_worker" {
  name                = "kafka-worker"
  location            = var.region
  deletion_protection = var.deletion_protection

  scaling {
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

      # Both ask /livez (functions/kafka-worker/probes.ts), which is true while Kafka is away: a restart would not
      # bring it back. The start has a minute; then three missed answers in a row end the instance.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 12

        http_get {
          path = "/livez"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/livez"
          port = 8080
        }
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

  # Deployments change these, as with the functions (functions.tf).
  lifecycle {
    ignore_changes = [
      client,
      client_version,
      template[0].client,
      template[0].client_version,
      template[0].containers[0].image,
      template[0].labels,
      instance_splits,
    ]
  }

  depends_on = [
    terraform_data.foundation,
    data.google_secret_manager_secret_version.first,
    google_firestore_database.patients,
    google_firestore_index.composite,
    google_managed_kafka_topic.events,
    google_project_iam_member.firestore,
    google_project_iam_member.kafka,
  ]
}
