"""What a browser shows: the report, the explorer, the servers behind them."""
