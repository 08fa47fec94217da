export default { build: { inlineStylesheets: 'never' } };
