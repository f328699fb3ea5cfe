# The same against a real API, or the simulator: tokens are created, and revoked at the end.

run "creates_a_token" {
  variables {
    alias = "tested"
  }

  assert {
    condition     = output.tokens[output.access_key_id] == "tested"
    error_message = "the token is not in the list"
  }
}

run "plans_no_changes" {
  command = plan

  variables {
    alias = "tested"
  }

  assert {
    condition     = crusoe_storage_token.quickstart.access_key_id == run.creates_a_token.access_key_id
    error_message = "the token would be replaced"
  }
}
