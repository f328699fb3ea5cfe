# Uses a token with the AWS provider, to put an object into a bucket of Crusoe Cloud. The endpoint of
# a location can be reached from virtual machines in that location only.

terraform {
  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
    aws = {
      source = "hashicorp/aws"
    }
  }

  # Terraform's own state can live in such a bucket too. Its token has to exist before, so make it in
  # another configuration, and hand it over as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:
  #
  # backend "s3" {
  #   bucket    = "terraform-state"
  #   key       = "app.tfstate"
  #   region    = "us-east-1"
  #   endpoints = { s3 = "https://object.us-east1-a.crusoecloudcompute.com" }
  #
  #   use_path_style              = true
  #   use_lockfile                = true
  #   skip_credentials_validation = true
  #   skip_metadata_api_check     = true
  #   skip_region_validation      = true
  #   skip_requesting_account_id  = true
  #   skip_s3_checksum            = true
  # }
}

variable "location" {
  description = "Location of the bucket."
  type        = string
  default     = "us-east1-a"
}

resource "crusoe_storage_token" "uploads" {
  alias         = "uploads"
  expires_after = "90d"
  renew_before  = "14d"
}

provider "aws" {
  region     = "us-east-1"
  access_key = crusoe_storage_token.uploads.access_key_id
  secret_key = crusoe_storage_token.uploads.secret_key

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    s3 = "https://object.${var.location}.crusoecloudcompute.com"
  }
}

resource "aws_s3_object" "hello" {
  bucket  = "my-bucket"
  key     = "hello.txt"
  content = "Hello, Crusoe"
}
