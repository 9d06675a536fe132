resource "google_cloud_scheduler_job" "check_health" {
  name             = "check-health"
  description      = "Takes the health snapshot, sweeps incoming/ for missed files, cleans up"
  region           = var.region
  schedule         = "* * * * *"
  time_zone        = "Europe/Berlin"
  attempt_deadline = "300s"

  # The next run comes within a minute.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = "${google_cloud_run_v2_service.function["check-health"].uri}/run"

    oidc_token {
      service_account_email = google_service_account.caller["health-scheduler"].email
      audience              = google_cloud_run_v2_service.function["check-health"].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.health_scheduler]
}
