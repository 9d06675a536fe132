# The worker reaches Kafka through this network by Direct VPC egress. It has no route from the internet, and
# nothing else runs in it.
resource "google_compute_network" "private" {
  name                    = "patient-service"
  auto_create_subnetworks = false

  depends_on = [google_project_service.api]
}

resource "google_compute_subnetwork" "private" {
  name                     = "patient-service-${var.region}"
  network                  = google_compute_network.private.id
  region                   = var.region
  ip_cidr_range            = "10.20.0.0/22"
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}
