"""The triggers of brokers: one file for the types of a broker, pure. The listener's drivers serve
them, which alone import the brokers' libraries."""
