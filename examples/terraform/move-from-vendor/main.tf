# The key was made by Crusoe's own provider:
#
#   resource "crusoe_storage_s3_key" "ci" {
#     alias = "ci-uploads"
#   }
#
# The moved block hands it over with its secret, and nothing is created or deleted at Crusoe. Apply
# once, then the block and Crusoe's provider can go, if nothing else needs it.
moved {
  from = crusoe_storage_s3_key.ci
  to   = crusoe_storage_token.ci
}

resource "crusoe_storage_token" "ci" {
  provider = crusoe-tokens

  alias = "ci-uploads"
}
