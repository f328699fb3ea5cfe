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

  # An assertion of OpenTofu sees no other run, only variables.
  variables {
    alias   = "tested"
    created = run.creates_a_token.access_key_id
  }

  assert {
    condition     = output.access_key_id == var.created
    error_message = "the token would be replaced"
  }
}
