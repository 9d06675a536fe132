# Each alert has the name and title of its runbook, docs/runbooks/<name>.md. The notification contains it, and what its commands need.
#
# `measure` defines how a time series becomes the number that is compared with `threshold`:
#   mean    mean of the samples in the period (check-health reports one sample a run)
#   count   total counted in the period
#   level   highest level in the period
#   ratio   counted with `filter`, divided by counted with `of`
#   failed  number of checks that failed in the period
#   absent  no sample arrived during `for`
# The alerts of the service level objectives are in slo.tf.
locals {
  of_check_health = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"check-health\""
  metric          = "logging.googleapis.com/user/patient_service"
  api_requests    = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"patients-api\" AND metric.type=\"run.googleapis.com/request_count\""

  alerts = {
    "oldest-incoming-file" = {
      title     = "A registration waits in incoming/"
      severity  = "CRITICAL"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/import_oldest_incoming_seconds\""
      measure   = "mean"
      threshold = var.import_stuck_after_seconds
      period    = "120s"
      for       = "0s"
    }
    "import-failure-rate" = {
      title     = "Many registration files fail"
      severity  = "ERROR"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/import_failure_percent\""
      measure   = "mean"
      threshold = 20
      period    = "300s"
      for       = "300s"
    }
    "outbox-age" = {
      title     = "Events or mails are not being sent"
      severity  = "ERROR"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/outbox_oldest_seconds\""
      measure   = "mean"
      threshold = 300
      period    = "120s"
      for       = "120s"
    }
    "consumer-lag" = {
      title     = "Consumed events pile up"
      severity  = "WARNING"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/consumer_lag\""
      measure   = "mean"
      threshold = 1000
      period    = "120s"
      for       = "600s"
    }
    "standing-partition" = {
      title     = "A consumed partition is stuck"
      severity  = "ERROR"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/standing_partitions\""
      measure   = "mean"
      threshold = 0
      period    = "120s"
      for       = "0s"
    }
    "unreadable-batch" = {
      title     = "A batch of consumed events cannot be read"
      severity  = "ERROR"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/unreadable_batches\""
      measure   = "mean"
      threshold = 0
      period    = "120s"
      for       = "0s"
    }
    "missing-offsets" = {
      title     = "Consumed events were deleted before they were read"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_run_worker_pool\" AND metric.type=\"${local.metric}/offsets_missing\""
      measure   = "count"
      threshold = 0
      period    = "60s"
      for       = "0s"
    }
    "worker-fault" = {
      title     = "The Kafka worker has an internal fault"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_run_worker_pool\" AND metric.type=\"${local.metric}/errors\" AND metric.labels.error_code=\"internal\""
      measure   = "count"
      threshold = 0
      period    = "60s"
      for       = "0s"
    }
    "dead-letters" = {
      title     = "There are events in a dead-letter topic"
      severity  = "WARNING"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/dead_letters_waiting\""
      measure   = "mean"
      threshold = 0
      period    = "120s"
      for       = "0s"
    }
    "unsendable-message" = {
      title     = "A message cannot be sent to Kafka"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_run_worker_pool\" AND metric.type=\"${local.metric}/errors\" AND metric.labels.error_code=\"event.unsendable\""
      measure   = "count"
      threshold = 0
      period    = "60s"
      for       = "0s"
    }
    "worker-not-polling" = {
      title     = "The Kafka worker does not report"
      severity  = "CRITICAL"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/worker_status_age_seconds\""
      measure   = "mean"
      threshold = 60
      period    = "120s"
      for       = "120s"
    }
    "api-5xx-ratio" = {
      title     = "The API responds with server errors"
      severity  = "ERROR"
      filter    = "${local.api_requests} AND metric.labels.response_code_class=\"5xx\""
      of        = local.api_requests
      measure   = "ratio"
      threshold = 0.02
      period    = "300s"
      for       = "300s"
    }
    "scheduler-job-failing" = {
      title     = "The scheduled health run fails"
      severity  = "ERROR"
      filter    = "resource.type=\"cloud_scheduler_job\" AND metric.type=\"${local.metric}/scheduler_failures\""
      measure   = "count"
      threshold = 2
      period    = "300s"
      for       = "0s"
    }
    "health-silent" = {
      title    = "check-health has stopped reporting"
      severity = "CRITICAL"
      filter   = "${local.of_check_health} AND metric.type=\"${local.metric}/worker_status_age_seconds\""
      measure  = "absent"
      period   = "60s"
      for      = "600s"
    }
    "health-unreachable" = {
      title     = "/health is unhealthy or unreachable from outside"
      severity  = "CRITICAL"
      filter    = "resource.type=\"uptime_url\" AND metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id=\"${google_monitoring_uptime_check_config.health.uptime_check_id}\""
      measure   = "failed"
      threshold = 1
      period    = "600s"
      for       = "0s"
    }
    "eventarc-dead-letters" = {
      title     = "A file event could not be delivered"
      severity  = "WARNING"
      filter    = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.labels.subscription_id=\"registration-dead-letters\""
      measure   = "level"
      threshold = 0
      period    = "60s"
      for       = "0s"
    }
    "restore" = {
      title     = "The database is a restored copy and publishes nothing"
      severity  = "CRITICAL"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/database_fenced\""
      measure   = "mean"
      threshold = 0
      period    = "120s"
      for       = "0s"
    }
    "storage-filling" = {
      title     = "The import bucket is filling up"
      severity  = "WARNING"
      filter    = "${local.of_check_health} AND metric.type=\"${local.metric}/storage_used_percent\""
      measure   = "mean"
      threshold = 80
      period    = "300s"
      for       = "0s"
    }
  }
}
