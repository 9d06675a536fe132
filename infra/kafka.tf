locals {
  kafka_is_managed = var.kafka_brokers == null
  kafka_bootstrap  = local.kafka_is_managed ? "bootstrap.${google_managed_kafka_cluster.events[0].cluster_id}.${var.region}.managedkafka.${var.project_id}.cloud.goog:9092" : join(",", var.kafka_brokers.bootstrap_servers)
  kafka_topics     = ["patient-events", "communication-events", "therapist-events"]
}

resource "google_managed_kafka_cluster" "events" {
  count = local.kafka_is_managed ? 1 : 0

  cluster_id = "patient-service"
  location   = var.region

  capacity_config {
    vcpu_count   = var.kafka_vcpus
    memory_bytes = var.kafka_vcpus * 4294967296
  }

  gcp_config {
    kms_key = var.kms_key

    access_config {
      network_configs {
        subnet = google_compute_subnetwork.private.id
      }
    }
  }

  rebalance_config {
    mode = "AUTO_REBALANCE_ON_SCALE_UP"
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

resource "google_managed_kafka_topic" "events" {
  for_each = local.kafka_is_managed ? toset(concat(local.kafka_topics, [for topic in local.kafka_topics : "${topic}.dlq"])) : []

  cluster            = google_managed_kafka_cluster.events[0].cluster_id
  location           = var.region
  topic_id           = "${var.kafka_topic_prefix}${each.value}"
  partition_count    = 6
  replication_factor = 3

  configs = {
    "cleanup.policy"      = "delete"
    "retention.ms"        = tostring(var.kafka_retention_days * 86400000)
    "min.insync.replicas" = "2"
  }
}
