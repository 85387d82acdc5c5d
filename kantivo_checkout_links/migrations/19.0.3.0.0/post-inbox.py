KEPT_MEMBERS = ("id", "object", "charge", "payment_intent", "currency")
# What the database adds to its errors, which may quote customers' data.
RAW_ERROR = "(DETAIL|LINE \\d+):"
ERRORS = (
    ("checkout_event", "error"),
    ("checkout_movement", "error"),
    ("checkout_refund", "error"),
    ("checkout_gateway", "sync_error"),
)


def migrate(cr, version):
    """The inbox keeps what finds an object again, and no names or addresses; reasons
    are free of what the database says of its errors.
    """
    _trim_payloads(cr)
    for table, column in ERRORS:
        cr.execute(
            f"UPDATE {table} SET {column} = split_part({column}, E'\\n', 1)"
            f" WHERE {column} ~ %s",
            [RAW_ERROR],
        )


def _trim_payloads(cr):
    cr.execute(
        """
        UPDATE checkout_event
        SET payload = jsonb_build_object(
            'data', jsonb_build_object('object', COALESCE(reduced.members, '{}'))
        )
        FROM (
            SELECT event.id, jsonb_object_agg(
                member.key,
                CASE
                    WHEN member.key = 'metadata' THEN COALESCE(own.metadata, '{}')
                    WHEN jsonb_typeof(member.value) = 'object'
                        THEN member.value -> 'id'
                    ELSE member.value
                END
            ) AS members
            FROM checkout_event event
            CROSS JOIN LATERAL jsonb_each(event.payload -> 'data' -> 'object') member
            LEFT JOIN LATERAL (
                SELECT jsonb_object_agg(entry.key, entry.value) AS metadata
                FROM jsonb_each(member.value) entry
                WHERE entry.key LIKE 'checkout\\_%%'
            ) own ON member.key = 'metadata'
                AND jsonb_typeof(member.value) = 'object'
            WHERE jsonb_typeof(event.payload -> 'data' -> 'object') = 'object'
                AND member.key IN %s
            GROUP BY event.id
        ) reduced
        WHERE reduced.id = checkout_event.id
        """,
        [(*KEPT_MEMBERS, "metadata")],
    )
