# Indexes, exemptions and TTL policies are in firestore.indexes.json, which the Firebase CLI reads too.
locals {
  firestore = jsondecode(file("${path.module}/firestore.indexes.json"))

  firestore_indexes = {
    for index in local.firestore.indexes :
    join(" ", concat([index.collectionGroup], [
      for field in index.fields : "${field.fieldPath}:${try(field.order, field.arrayConfig)}"
    ])) => index
  }

  firestore_fields = {
    for field in local.firestore.fieldOverrides : "${field.collectionGroup} ${field.fieldPath}" => field
  }
}

resource "google_firestore_database" "patients" {
  name                              = "(default)"
  location_id                       = var.region
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"

  dynamic "cmek_config" {
    for_each = local.kms_keys

    content {
      kms_key_name = cmek_config.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.user]
}

# The same 7 days as point-in-time recovery, so that an erased patient disappears from both at the same time.
resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.patients.name
  retention = "604800s"

  daily_recurrence {}
}

resource "google_firestore_index" "composite" {
  for_each = local.firestore_indexes

  database    = google_firestore_database.patients.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields

    content {
      field_path   = fields.value.fieldPath
      order        = try(fields.value.order, null)
      array_config = try(fields.value.arrayConfig, null)
    }
  }
}

resource "google_firestore_field" "override" {
  for_each = local.firestore_fields

  database   = google_firestore_database.patients.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes

      content {
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
        query_scope  = indexes.value.queryScope
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []

    content {}
  }
}
