// A module whose default export is no handler.
export default { handle: () => undefined }
