# The promise of erasure (docs/guarantees.md) requires that a deleted object is gone: no versions, no soft delete.
resource "google_storage_bucket" "import" {
  name     = "${var.project_id}-registrations"
  location = upper(var.region)

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  dynamic "encryption" {
    for_each = local.kms_keys

    content {
      default_kms_key_name = encryption.value
    }
  }

  # incoming/ has no rule: a file stays there until it is imported or refused. erasures/ and fence/ have none either: the
  # ledger of erasures and the mark of the restore fence must outlive every backup of the database.
  lifecycle_rule {
    condition {
      age            = 30
      matches_prefix = ["processed/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      age            = 90
      matches_prefix = ["failed/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}
