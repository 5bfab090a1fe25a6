"""The Schedule trigger: one execution for each due time of a cron expression."""
