# The recipients of alerts, and the channels.
locals {
  mail_channels         = [for channel in google_monitoring_notification_channel.mail : channel.name]
  notification_channels = concat(local.mail_channels, var.alert_channels)
  # A notification is self-contained: it holds its runbook and the definitions of the commands in it.
  runbook_commands = file("${path.module}/../docs/runbooks/README.md")
}

resource "google_monitoring_notification_channel" "mail" {
  for_each = toset(var.alert_mail_addresses)

  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.api]
}

check "production_has_a_second_channel" {
  assert {
    condition     = var.environment != "prod" || length(var.alert_channels) > 0
    error_message = "Alerts go out by mail only, which nobody reads at night: name a second channel in alert_channels."
  }
}

# Calls /health every five minutes from several continents, as the monitoring agent's account; the answer holds
# states and numbers. It also fails when the verdict is unhealthy (503).
resource "google_monitoring_uptime_check_config" "health" {
  display_name = "check-health"
  period       = "300s"
  timeout      = "30s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true

    accepted_response_status_codes {
      status_class = "STATUS_CLASS_2XX"
    }

    service_agent_authentication {
      type = "OIDC_TOKEN"
    }
  }

  monitored_resource {
    type = "uptime_url"

    labels = {
      project_id = var.project_id
      host       = trimprefix(google_cloud_run_v2_service.function["check-health"].uri, "https://")
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.uptime_check]
}

resource "google_cloud_run_v2_service_iam_member" "uptime_check" {
  name     = google_cloud_run_v2_service.function["check-health"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.service_agent["monitoring"]
}

# Mails also go to the billing account's administrators. Only mail channels can be named here, five at most.
resource "google_billing_budget" "month" {
  count    = var.budget == null ? 0 : 1
  provider = google.billing

  billing_account = var.budget.billing_account
  display_name    = "patient-service (${var.environment})"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(floor(var.budget.amount))
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = slice(local.mail_channels, 0, min(5, length(local.mail_channels)))
  }

  depends_on = [google_project_service.api]
}
