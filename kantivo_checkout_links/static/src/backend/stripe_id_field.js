import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";

/** One of Stripe's ids, as a link to the record's `stripe_url`. */
export class StripeIdField extends CharField {
    static template = "kantivo_checkout_links.StripeIdField";

    get url() {
        return this.props.record.data.stripe_url;
    }
}

registry.category("fields").add("stripe_id", {
    ...charField,
    component: StripeIdField,
    fieldDependencies: [{ name: "stripe_url", type: "char" }],
});
