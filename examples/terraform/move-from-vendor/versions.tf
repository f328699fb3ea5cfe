terraform {
  required_version = ">= 1.8"

  required_providers {
    crusoe = {
      source = "crusoecloud/crusoe"
    }
    crusoe-tokens = {
      source = "crusoe-community/crusoe"
    }
  }
}

provider "crusoe-tokens" {}
