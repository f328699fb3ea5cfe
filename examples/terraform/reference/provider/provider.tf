terraform {
  required_providers {
    crusoe = {
      source  = "crusoe-community/crusoe"
      version = "~> 0.1"
    }
  }
}

# Credentials come from CRUSOE_ACCESS_KEY_ID and CRUSOE_SECRET_KEY, or from a profile of the Crusoe CLI.
provider "crusoe" {
  # organization_id = "ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab" # yours, if you belong to several
}
