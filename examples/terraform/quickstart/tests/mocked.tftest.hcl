# Tests of a module that uses the provider, without network or credentials: Terraform makes the values.
# Run them with terraform test, in Terraform 1.7 or later.

mock_provider "crusoe" {
  mock_resource "crusoe_storage_token" {
    defaults = {
      access_key_id = "CKIAMOCKED0000000000"
      secret_key    = "SKmocked"
    }
  }

  mock_data "crusoe_storage_tokens" {
    defaults = {
      tokens = []
    }
  }
}

run "hands_the_pair_on" {
  assert {
    condition     = output.access_key_id == "CKIAMOCKED0000000000"
    error_message = "the access key ID is not what the token says"
  }

  assert {
    condition     = output.secret_key == "SKmocked"
    error_message = "the secret is not what the token says"
  }
}

run "takes_an_alias" {
  variables {
    alias = "other"
  }

  assert {
    condition     = crusoe_storage_token.quickstart.alias == "other"
    error_message = "the alias is not taken over"
  }
}
