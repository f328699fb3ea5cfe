terraform {
  required_version = ">= 1.0"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

# Credentials come from CRUSOE_ACCESS_KEY_ID and CRUSOE_SECRET_KEY, or from the profile in
# ~/.crusoe/config that the Crusoe CLI uses.
provider "crusoe" {}
