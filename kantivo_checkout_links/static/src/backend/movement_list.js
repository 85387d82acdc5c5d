import { registry } from "@web/core/registry";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";

function isAnyWaiting(list) {
    return list.isGrouped
        ? list.groups.some((group) => isAnyWaiting(group.list))
        : list.records.some((record) => record.data.error);
}

/** Transactions, with a column of reasons only while one of them waits. */
export class MovementListRenderer extends ListRenderer {
    getActiveColumns() {
        const isShown = ({ name }) => name !== "error" || isAnyWaiting(this.props.list);
        return super.getActiveColumns().filter(isShown);
    }
}

registry.category("views").add("checkout_movement_list", {
    ...listView,
    Renderer: MovementListRenderer,
});
