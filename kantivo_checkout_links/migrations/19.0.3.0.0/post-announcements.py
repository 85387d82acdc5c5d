ADD_SUBTYPES = """
    INSERT INTO mail_followers_mail_message_subtype_rel
        (mail_followers_id, mail_message_subtype_id)
    SELECT follower.id, subtype.id
      FROM mail_followers follower
      JOIN checkout_link link ON link.id = follower.res_id
      JOIN res_users responsible ON responsible.id = link.user_id
      JOIN mail_message_subtype subtype ON subtype.res_model = 'checkout.link'
     WHERE follower.res_model = 'checkout.link'
       AND follower.partner_id = responsible.partner_id
    ON CONFLICT DO NOTHING
"""


def migrate(cr, version):
    """The responsible of each link hears of its payments, as with a new link."""
    cr.execute(ADD_SUBTYPES)
