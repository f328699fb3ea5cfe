import {
  to = crusoe_storage_token.ci
  identity = {
    access_key_id = "CKIA493K6LOVDNNAR4SZ"
  }
}
