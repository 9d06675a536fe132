resource "google_monitoring_dashboard" "patient_service" {
  dashboard_json = file("${path.module}/dashboards/patient-service.json")

  depends_on = [google_logging_metric.service]
}
