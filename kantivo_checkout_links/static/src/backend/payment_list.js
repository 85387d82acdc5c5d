import { onWillStart } from "@odoo/owl";
import { Domain } from "@web/core/domain";
import { registry } from "@web/core/registry";
import { ListController } from "@web/views/list/list_controller";
import { listView } from "@web/views/list/list_view";

/** Payments, with the number of checkouts that were only opened: a filter shows them. */
export class PaymentListController extends ListController {
    static template = "kantivo_checkout_links.PaymentList";

    setup() {
        super.setup();
        onWillStart(async () => {
            this.unpaidCount = this.unpaidFilter ? await this.countUnpaid() : 0;
        });
    }

    get unpaidFilter() {
        const named = (item) => item.type === "filter" && item.name === "unpaid";
        return this.env.searchModel.getSearchItems(named)[0];
    }

    countUnpaid() {
        const { globalDomain } = this.env.searchModel;
        const domain = Domain.and([globalDomain, this.unpaidFilter.domain]);
        return this.orm.searchCount(this.props.resModel, domain.toList({}));
    }

    showUnpaid() {
        const { searchModel } = this.env;
        searchModel.clearFilters();
        searchModel.toggleSearchItem(this.unpaidFilter.id);
    }
}

registry.category("views").add("checkout_payment_list", {
    ...listView,
    Controller: PaymentListController,
});
