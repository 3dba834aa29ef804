"""What the tests share: small real models, stores with known counts, clusters, browsers, independent oracles."""
