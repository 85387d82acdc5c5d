-- A copy of the database must not reach Stripe, believe its deliveries or book anything,
-- and whoever connects it anew must not take the original's webhook away.
UPDATE checkout_gateway
   SET secret_key_value = NULL,
       webhook_secret_value = NULL,
       webhook_endpoint_secret = NULL,
       webhook_endpoint_id = NULL,
       post_entries = FALSE;
