# Metrics made from log lines. The first map mirrors shared/platform/metrics.ts (a check compares both ways);
# lines hold {"metrics": {"imports": 1, "import_latency_ms": 412}, "labels": {"outcome": "imported"}}.
locals {
  service_metrics = {
    events_published               = { kind = "counter", labels = ["event_type"] }
    publish_latency_ms             = { kind = "distribution", labels = ["event_type"] }
    events_consumed                = { kind = "counter", labels = ["event_type", "outcome"] }
    consume_latency_ms             = { kind = "distribution", labels = ["event_type"] }
    dead_letters                   = { kind = "counter", labels = ["topic", "error_code"] }
    offsets_missing                = { kind = "counter", labels = ["topic"] }
    imports                        = { kind = "counter", labels = ["outcome"] }
    import_latency_ms              = { kind = "distribution", labels = ["outcome"] }
    file_to_event_ms               = { kind = "distribution", labels = [] }
    mails_sent                     = { kind = "counter", labels = ["kind"] }
    errors                         = { kind = "counter", labels = ["error_code"] }
    requests                       = { kind = "counter", labels = ["route", "status_class"] }
    request_latency_ms             = { kind = "distribution", labels = ["route"] }
    import_oldest_incoming_seconds = { kind = "distribution", labels = [] }
    import_failure_percent         = { kind = "distribution", labels = [] }
    outbox_oldest_seconds          = { kind = "distribution", labels = [] }
    outbox_entries                 = { kind = "distribution", labels = [] }
    consumer_lag                   = { kind = "distribution", labels = [] }
    dead_letters_waiting           = { kind = "distribution", labels = [] }
    standing_partitions            = { kind = "distribution", labels = [] }
    unreadable_batches             = { kind = "distribution", labels = [] }
    worker_status_age_seconds      = { kind = "distribution", labels = [] }
    database_fenced                = { kind = "distribution", labels = [] }
    storage_used_percent           = { kind = "distribution", labels = [] }
  }
}

resource "google_logging_metric" "service" {
  for_each = local.service_metrics

  name   = "patient_service/${each.key}"
  filter = "jsonPayload.metrics.${each.key}:*"

  # A counter line may count more than one, so its value is the sum of a distribution.
  value_extractor  = "EXTRACT(jsonPayload.metrics.${each.key})"
  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.labels.${label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = endswith(each.key, "_ms") ? "ms" : endswith(each.key, "_seconds") ? "s" : "1"

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  # From 1 to 10^7 in factors of 1.5: the buckets only serve heat maps and percentiles; means and sums are exact.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 40
      growth_factor      = 1.5
      scale              = 1
    }
  }

  depends_on = [google_project_service.api]
}

# Cloud Scheduler reports a failed run by a log line only.
resource "google_logging_metric" "scheduler_failures" {
  name   = "patient_service/scheduler_failures"
  filter = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=\"${google_cloud_scheduler_job.check_health.name}\" AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}
