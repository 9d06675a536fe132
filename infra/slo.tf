# Service level objectives over 28 days, and an alert for each that fires when its error budget burns too fast: 2 % of it
# within an hour, or 5 % within six hours. Each alert is named like its runbook.
#
# `distribution` counts a sample as good up to `max`; `total` and `bad` count requests.
locals {
  slos = {
    "slo-file-to-event" = {
      title        = "99 % of files become events within a minute"
      goal         = 0.99
      distribution = "resource.type=\"cloud_run_worker_pool\" AND metric.type=\"${local.metric}/file_to_event_ms\""
      max          = 60000
      total        = null
      bad          = null
    }
    "slo-api-availability" = {
      title        = "99.5 % of the API's responses are not server errors"
      goal         = 0.995
      distribution = null
      max          = null
      total        = local.api_requests
      bad          = "${local.api_requests} AND metric.labels.response_code_class=\"5xx\""
    }
    "slo-outbox-age" = {
      title        = "In 99 % of all minutes no outbox entry is older than a minute"
      goal         = 0.99
      distribution = "${local.of_check_health} AND metric.type=\"${local.metric}/outbox_oldest_seconds\""
      max          = 60
      total        = null
      bad          = null
    }
  }

  # Burn rate: 1 uses up the budget evenly over 28 days.
  burn_rates = { "3600s" = 13.4, "21600s" = 5.6 }
}

resource "google_monitoring_custom_service" "patient_service" {
  service_id   = "patient-service"
  display_name = "Patient service (${var.environment})"

  depends_on = [google_project_service.api]
}

resource "google_monitoring_slo" "promise" {
  for_each = local.slos

  service             = google_monitoring_custom_service.patient_service.service_id
  slo_id              = each.key
  display_name        = each.value.title
  goal                = each.value.goal
  rolling_period_days = 28

  request_based_sli {
    dynamic "distribution_cut" {
      for_each = each.value.distribution == null ? [] : [each.value]

      content {
        distribution_filter = distribution_cut.value.distribution

        range {
          max = distribution_cut.value.max
        }
      }
    }

    dynamic "good_total_ratio" {
      for_each = each.value.total == null ? [] : [each.value]

      content {
        total_service_filter = good_total_ratio.value.total
        bad_service_filter   = good_total_ratio.value.bad
      }
    }
  }

  depends_on = [google_logging_metric.service]
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = { for name, slo in local.slos : name => slo if var.objective_alerts }

  display_name          = "Not kept: ${each.value.title} (${var.environment})"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.notification_channels

  dynamic "conditions" {
    for_each = local.burn_rates

    content {
      display_name = "The error budget is used ${conditions.value} times too fast for ${conditions.key}"

      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.promise[each.key].id}\", \"${conditions.key}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = conditions.value
        duration        = "0s"
      }
    }
  }

  documentation {
    subject   = "Not kept: ${each.value.title} (${var.environment})"
    content   = join("\n", [file("${path.module}/../docs/runbooks/${each.key}.md"), local.runbook_commands])
    mime_type = "text/markdown"
  }
}
