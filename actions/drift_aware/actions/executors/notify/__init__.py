"""Tells people of alerts: Slack, mail, PagerDuty, Opsgenie, and services of one's own."""
