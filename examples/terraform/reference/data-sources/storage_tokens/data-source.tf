data "crusoe_storage_tokens" "mine" {
  mine = true
}

check "quota" {
  assert {
    condition     = data.crusoe_storage_tokens.mine.keys_available > 0
    error_message = "Both storage tokens are taken, so no rotation can be without a gap."
  }
}

output "aliases" {
  value = data.crusoe_storage_tokens.mine.tokens[*].alias
}
