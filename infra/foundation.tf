# The first stage of a first apply (infra/deploy/bootstrap.sh, `-target=terraform_data.foundation`): everything that must
# exist and be effective in Google's systems before images can be built and services can start. The build between the
# stages takes longer than a new permission needs to take effect.
resource "terraform_data" "foundation" {
  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_storage_bucket_iam_member.build_reads_source,
    google_storage_bucket_iam_member.build_releases,
    google_project_iam_member.build_reads_builds,
    google_project_iam_member.build_log,
    google_project_iam_member.service_agent,
    google_secret_manager_secret_iam_member.reader,
  ]
}

# Google's service agents in this project. A new project has none of them until `gcloud beta services identity create`
# creates them (bootstrap.sh); a grant to a missing one fails and names it. A trigger created before its agents work would
# fail too, less clearly. Always needed: eventarc, pubsub, monitoring; with kms_key also artifactregistry, firestore,
# managedkafka and secretmanager (keys.tf). Reading the names of Storage's and Logging's agents creates them.
locals {
  service_agents = {
    eventarc   = "gcp-sa-eventarc"
    pubsub     = "gcp-sa-pubsub"
    monitoring = "gcp-sa-monitoring-notification"
  }

  service_agent = {
    for name, domain in local.service_agents :
    name => "serviceAccount:service-${data.google_project.this.number}@${domain}.iam.gserviceaccount.com"
  }
}

resource "google_project_iam_member" "service_agent" {
  for_each = {
    eventarc = "roles/eventarc.serviceAgent"
    pubsub   = "roles/pubsub.serviceAgent"
  }

  project = var.project_id
  role    = each.value
  member  = local.service_agent[each.key]
}
