# A token for the time of one apply: it is created when Terraform begins, used for an upload, and
# revoked at the end. It is never stored, neither in the state nor in a plan. Terraform opens it in the
# plan as well as in the apply, so a slot has to be free both times.

terraform {
  required_version = ">= 1.10"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

variable "file" {
  description = "The file to upload."
  type        = string
}

variable "bucket" {
  description = "The bucket to upload it to."
  type        = string
}

variable "endpoint" {
  description = "The S3 endpoint of the bucket's location."
  type        = string
  default     = "https://object.us-east1-a.crusoecloudcompute.com"
}

ephemeral "crusoe_storage_token" "upload" {
  alias         = "terraform-upload"
  expires_after = "15m"
}

# Uploads the file whenever its content changes.
resource "terraform_data" "upload" {
  triggers_replace = filesha256(var.file)

  provisioner "local-exec" {
    command = "aws s3 cp --endpoint-url \"$ENDPOINT\" \"$FILE\" \"s3://$BUCKET/\""
    environment = {
      FILE                  = var.file
      BUCKET                = var.bucket
      ENDPOINT              = var.endpoint
      AWS_REGION            = "us-east-1"
      AWS_ACCESS_KEY_ID     = ephemeral.crusoe_storage_token.upload.access_key_id
      AWS_SECRET_ACCESS_KEY = ephemeral.crusoe_storage_token.upload.secret_key
    }
  }
}

# The same token can configure a provider, whose settings are not stored either:
#
# provider "aws" {
#   region     = "us-east-1"
#   access_key = ephemeral.crusoe_storage_token.upload.access_key_id
#   secret_key = ephemeral.crusoe_storage_token.upload.secret_key
#
#   s3_use_path_style           = true
#   skip_credentials_validation = true
#   skip_region_validation      = true
#   skip_requesting_account_id  = true
#
#   endpoints {
#     s3 = var.endpoint
#   }
# }
