rule report:
    input: "x"
