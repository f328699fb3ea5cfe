terraform {
  required_version = ">= 1.10" # for the ephemeral variable

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

# No credentials of its own: every object names a profile.
provider "crusoe" {
  profiles = var.crusoe_profiles
}
