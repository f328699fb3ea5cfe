data "crusoe_storage_token" "ci" {
  alias = "ci-uploads"
}

# Warns in every plan, without failing it.
check "expiry" {
  assert {
    condition     = !data.crusoe_storage_token.ci.expired
    error_message = "The token ci-uploads has expired."
  }
}
