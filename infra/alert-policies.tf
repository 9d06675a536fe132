# A policy for each alert of alerts.tf.
locals {
  # The service's metrics are distributions (metrics.tf): the delta of one, reduced by REDUCE_MEAN, is the exact mean of its samples.
  aligners = { mean = "ALIGN_DELTA", count = "ALIGN_DELTA", level = "ALIGN_MAX", failed = "ALIGN_NEXT_OLDER", ratio = "ALIGN_DELTA", absent = "ALIGN_DELTA" }
  reducers = { mean = "REDUCE_MEAN", count = "REDUCE_SUM", level = "REDUCE_MAX", failed = "REDUCE_COUNT_FALSE", ratio = "REDUCE_SUM", absent = "REDUCE_COUNT" }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  display_name          = "${each.value.title} (${var.environment})"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.notification_channels

  conditions {
    display_name = each.value.title

    dynamic "condition_threshold" {
      for_each = each.value.measure == "absent" ? [] : [each.value]

      content {
        filter          = condition_threshold.value.filter
        comparison      = "COMPARISON_GT"
        threshold_value = condition_threshold.value.threshold
        duration        = condition_threshold.value.for
        # Monitoring accepts this condition only with a retest window.
        evaluation_missing_data = condition_threshold.value.for == "0s" ? null : "EVALUATION_MISSING_DATA_INACTIVE"
        denominator_filter      = try(condition_threshold.value.of, null)

        aggregations {
          alignment_period     = condition_threshold.value.period
          per_series_aligner   = local.aligners[condition_threshold.value.measure]
          cross_series_reducer = local.reducers[condition_threshold.value.measure]
        }

        dynamic "denominator_aggregations" {
          for_each = condition_threshold.value.measure == "ratio" ? [condition_threshold.value] : []

          content {
            alignment_period     = denominator_aggregations.value.period
            per_series_aligner   = local.aligners["ratio"]
            cross_series_reducer = local.reducers["ratio"]
          }
        }
      }
    }

    dynamic "condition_absent" {
      for_each = each.value.measure == "absent" ? [each.value] : []

      content {
        filter   = condition_absent.value.filter
        duration = condition_absent.value.for

        aggregations {
          alignment_period     = condition_absent.value.period
          per_series_aligner   = local.aligners["absent"]
          cross_series_reducer = local.reducers["absent"]
        }
      }
    }
  }

  documentation {
    subject   = "${each.value.title} (${var.environment})"
    content   = join("\n", [file("${path.module}/../docs/runbooks/${each.key}.md"), local.runbook_commands])
    mime_type = "text/markdown"
  }

  depends_on = [google_logging_metric.service, google_logging_metric.scheduler_failures]
}
