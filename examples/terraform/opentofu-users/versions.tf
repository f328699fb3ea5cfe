# For OpenTofu: no Terraform has provider blocks with for_each.
terraform {
  required_version = ">= 1.9"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

# One for each user, with the user's entry of ~/.crusoe/config.
provider "crusoe" {
  alias    = "user"
  for_each = var.users

  profile = each.key
}
