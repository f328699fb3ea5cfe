# Two keys in one resource. A change of the period makes a new one, in place; the one before it stays
# valid until the next change. With rotate_after = "30d" instead, any plan after 30 days does so.

terraform {
  required_version = ">= 1.0"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

variable "period" {
  description = "The number of the period, such as a quarter. Another one rotates."
  type        = string
  default     = "2027-q1"
}

resource "crusoe_storage_rotating_token" "ci" {
  alias               = "ci-uploads"
  expires_after       = "200d"
  rotate_when_changed = { period = var.period }
}

output "generation" {
  value = crusoe_storage_rotating_token.ci.generation
}

output "access_key_id" {
  description = "What S3 clients call the access key: the current one."
  value       = crusoe_storage_rotating_token.ci.access_key_id
}

output "secret_key" {
  description = "What S3 clients call the secret key."
  value       = crusoe_storage_rotating_token.ci.secret_key
  sensitive   = true
}
