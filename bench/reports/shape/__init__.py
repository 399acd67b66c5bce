"""Shape against texture: tables, plots and the section of the report."""
