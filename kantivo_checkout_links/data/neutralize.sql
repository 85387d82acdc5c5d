-- A copy of the database must not reach Stripe, believe its deliveries or book anything.
UPDATE checkout_gateway
   SET secret_key_value = NULL,
       webhook_secret_value = NULL,
       webhook_endpoint_secret = NULL,
       post_entries = FALSE;
