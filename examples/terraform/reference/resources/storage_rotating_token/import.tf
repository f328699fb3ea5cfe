import {
  to = crusoe_storage_rotating_token.ci
  id = "f5705300-79f8-4686-9b9f-02496a053bc0"
}
