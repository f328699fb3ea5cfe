# Rotation without downtime, with two tokens inside the limit of two.
#
# Every month one of the two is replaced: a in one month, b in the next. Clients use the younger one;
# the other stays valid for a month more, so a client that is slow to notice loses nothing.
#
# Run terraform apply at least once a month. Both tokens are replaced at once, with a moment without
# either, if a whole month is left out. A plan warns of a gap whenever it replaces a token while both
# slots are taken; here that is the token that clients have stopped using a month ago.

terraform {
  required_version = ">= 1.5"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

variable "now" {
  description = "The time to go by, such as 2027-01-31T12:00:00Z. Null for the time of the plan."
  type        = string
  default     = null
}

locals {
  now   = coalesce(var.now, plantimestamp())
  month = tonumber(formatdate("YYYY", local.now)) * 12 + tonumber(formatdate("M", local.now))

  # The number of the token's period: a's begins in even months, b's in odd ones.
  periods = {
    a = floor(local.month / 2)
    b = floor((local.month + 1) / 2)
  }
  younger = local.month % 2 == 0 ? "a" : "b"
}

resource "crusoe_storage_token" "ci" {
  for_each = local.periods

  alias               = "ci-${each.key}"
  rotate_when_changed = { period = each.value }
}

output "access_key_id" {
  description = "What clients should use now."
  value       = crusoe_storage_token.ci[local.younger].access_key_id
}

output "secret_key" {
  description = "The secret that belongs to it."
  value       = crusoe_storage_token.ci[local.younger].secret_key
  sensitive   = true
}
